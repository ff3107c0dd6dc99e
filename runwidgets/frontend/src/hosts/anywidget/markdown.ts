/** The bundle that renders Markdown: loaded on demand, since its parser is as large as a view. */
export { markdown } from '../../views/previews/markdown';
