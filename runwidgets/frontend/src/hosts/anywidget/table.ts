import { tableView } from '../../views/table/table-view';
import { host } from './host';

export default host(tableView);
