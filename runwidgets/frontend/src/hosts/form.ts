import { formView } from '../views/form';
import { host } from './anywidget';

export default host(formView);
export const views = { form: formView };
