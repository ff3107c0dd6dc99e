import { sweepView } from '../../views/sweep/sweep-view';
import { host } from './host';

export default host(sweepView);
export const views = { sweep: sweepView };
