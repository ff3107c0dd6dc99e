import { compareView } from '../../views/compare/compare-view';
import { filesView } from '../../views/results/file-list';
import { resultsView } from '../../views/results/results-view';
import { host } from './host';

export default host(resultsView);
export const views = { files: filesView, compare: compareView };
