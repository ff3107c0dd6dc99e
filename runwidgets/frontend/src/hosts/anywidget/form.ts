import { formView } from '../../views/form/form-view';
import { host } from './host';

export default host(formView);
export const views = { form: formView };
