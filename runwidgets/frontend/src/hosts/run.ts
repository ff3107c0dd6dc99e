import { runView } from '../views/run';
import { host } from './anywidget';

export default host(runView);
export const views = { run: runView };
