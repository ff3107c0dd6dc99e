import { tableView } from '../views/table';
import { host } from './anywidget';

export default host(tableView);
