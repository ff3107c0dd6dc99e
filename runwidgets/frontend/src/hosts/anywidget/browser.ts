import { browserView } from '../../views/browser/browser-view';
import { host } from './host';

export default host(browserView);
