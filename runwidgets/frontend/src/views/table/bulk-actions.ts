import { t } from '../../model/messages';
import { ApiError } from '../../model/transport';
import type { Typed } from '../question';

const AT_ONCE = 6;
/** Above this number of runs, deleting them must be confirmed by typing the number. */
const MANY = 50;

/** Return what must be typed before runs are deleted; undefined if a click is enough. */
export const typedFor = (n: number): Typed | undefined =>
  n > MANY ? { text: String(n), label: t('typeCount', { n }) } : undefined;

/** Do something with many, a few at a time; what is refused does not stop the rest. Returns why, once for each. */
export async function forEach<Item>(items: readonly Item[], act: (item: Item) => Promise<unknown>): Promise<string[]> {
  const waiting = [...items];
  const refused: string[] = [];
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) {
        try {
          await act(item);
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
          refused.push(error.message);
        }
      }
    }),
  );
  return refused;
}
