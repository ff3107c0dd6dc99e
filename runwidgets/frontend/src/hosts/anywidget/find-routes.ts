import { ApiError } from '../../model/transport';
import { findBase, RestTransport } from '../../transport/rest-transport';

const STORES = Symbol.for('runwidgets.stores');

/** Ask a server where it stores runs; null if it does not have our routes. */
async function askStore(base: string): Promise<string | null> {
  try {
    return (await new RestTransport(base).get<{ store?: string }>('')).store ?? null;
  } catch (error) {
    if (error instanceof SyntaxError) return null; // an HTML page
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 0 || error.status >= 500) throw error;
    return null;
  }
}

/** Ask once per page; each widget is a bundle of its own, so the response is kept in a global. */
function storeOf(base: string): Promise<string | null> {
  const page = globalThis as { [STORES]?: Map<string, Promise<string | null>> };
  page[STORES] ??= new Map<string, Promise<string | null>>();
  const known = page[STORES];
  let answer = known.get(base);
  if (!answer) {
    answer = askStore(base);
    known.set(base, answer);
    answer.catch(() => known.delete(base));
  }
  return answer;
}

/** Return the URL of the routes that have the runs of a kernel, null if only the kernel itself has them. */
export async function findRoutes(page: Document, store: string): Promise<string | null> {
  const base = findBase(page);
  if (base === null) return null;
  try {
    return (await storeOf(base)) === store ? base : null;
  } catch (error) {
    if (error instanceof ApiError) return base; // neither the server nor the kernel can be reached: wait
    throw error;
  }
}
