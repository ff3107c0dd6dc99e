import { resultsView } from '../views/results';
import { host } from './anywidget';

export default host(resultsView);
