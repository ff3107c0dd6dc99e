import { compareView } from '../views/compare';
import { filesView } from '../views/filelist';
import { resultsView } from '../views/results';
import { host } from './anywidget';

export default host(resultsView);
export const views = { files: filesView, compare: compareView };
