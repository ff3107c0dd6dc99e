import { sweepView } from '../views/sweep';
import { host } from './anywidget';

export default host(sweepView);
export const views = { sweep: sweepView };
