import { runView } from '../../views/run/run-view';
import { host } from './host';

export default host(runView);
export const views = { run: runView };
