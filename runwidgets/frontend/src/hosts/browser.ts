import { browserView } from '../views/browser';
import { host } from './anywidget';

export default host(browserView);
