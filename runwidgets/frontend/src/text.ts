/** Every word that a view shows, in one table. */

const WORDS = {
  PENDING: 'Waiting',
  RUNNING: 'Running',
  SUCCESS: 'Succeeded',
  ERROR: 'Failed',
  CANCELED: 'Cancelled',
  start: 'Start',
  starting: 'Starting…',
  resetAll: 'Reset',
  reset: 'Reset to default',
  copyCode: 'Copy as code',
  copied: 'Copied',
  noParameters: 'This template takes no parameters. To add some, tag a cell “parameters”.',
  fixProblems: 'Please correct {n}:',
  required: 'required',
  default: 'default {value}',
  choose: 'choose…',
  onePerLine: 'one per line',
  asJson: 'as JSON',
  chooseFile: 'Upload a file…',
  uploading: 'Uploading {name}: {percent} %',
  uploadStopped: 'The upload was stopped.',
  stopUpload: 'Stop',
  cancel: 'Cancel run',
  cancelAsk: 'Cancel this run?',
  cancelYes: 'Yes, cancel',
  cancelling: 'Cancelling…',
  no: 'No',
  again: 'Run again',
  closeForm: 'Close the form',
  delete: 'Delete',
  deleteAsk: 'Delete this run{files}?',
  deleteFiles: ' and its {n} files, {size}',
  deleteYes: 'Yes, delete',
  deleting: 'Deleting…',
  downloadAll: 'Download all',
  download: 'Download',
  preview: 'Preview',
  hide: 'Hide',
  log: 'Log',
  logCut: 'showing the last {n} lines',
  follow: 'Follow',
  noLog: 'Nothing printed yet.',
  traceback: 'Traceback',
  metrics: 'Metrics',
  results: 'Results',
  arguments: 'Arguments',
  cellOf: 'cell {cell} of {cells}',
  waitingForSlot: 'waiting for a free slot',
  startingKernel: 'starting the kernel',
  elapsed: 'Elapsed time',
  stale: 'not reached since {time}; trying again',
  gone: 'This run was deleted.',
  loading: 'Loading…',
  noServer: 'Live views need the Jupyter server extension, which this page does not reach.',
  noFiles: 'No files written yet. Files saved in the run’s folder appear here.',
  notDone: 'Result files appear here when the run has succeeded; it is {state}.',
  imageBroken: 'This image cannot be shown.',
  tooLarge: 'too large to preview ({size}); download it',
  rowsCut: 'showing the first {rows} of {total} rows',
  columnsCut: 'and the first {columns} of {total} columns',
  textCut: 'showing the first {size} of {total}',
  rowsAll: '{rows} rows',
  moreThan: 'more than {n}',
  sortedRead: 'Sorted among the first {n} rows, which are read so far.',
  moreRows: 'Show {n} more rows',
  moreColumns: 'Show {n} more columns',
  moreEntries: 'Show more ({n} left)',
  moreCells: 'Show more cells ({n} left)',
  showMore: 'Show more',
  column: 'column {n}',
  emptyFile: 'This file is empty.',
  hexHead: 'No text in UTF-8. Its first {n} bytes:',
  fileGone: 'This file is no longer there; the run or its files were deleted.',
  notShown: 'This file cannot be shown: {problem}',
  mediaBroken: 'This browser cannot play this file; download it.',
  parquet: 'Parquet is not shown here; in Python, pandas.read_parquet(run.files[{name}].open()) reads it.',
  notebook: 'Notebook with its outputs',
  output: 'output',
  outputOf: 'no preview for {type}',
  fit: 'Fit',
  fitted: 'fitted',
  zoomFit: 'Fit to the width',
  zoomFull: 'Show at 100 %',
  zoomIn: 'Zoom in',
  zoomOut: 'Zoom out',
  zoomKeys: '{name}: + and − zoom, 0 fits, 1 shows at 100 %, arrows move',
  filterFiles: 'Filter by name',
  filesFound: '{n} of {total} files',
  chooseAll: 'Choose all',
  chooseFileNamed: 'Choose {name}',
  downloadChosen: 'Download chosen ({n})',
  gallery: 'Gallery ({n})',
  previous: 'Previous',
  next: 'Next',
  close: 'Close',
  copyPath: 'Copy path',
  notCopied: 'Not copied',
  executed: 'executed notebook',
  showExecuted: 'Show the executed notebook',
  noResults: 'This run has no result files: it is {state}.',
  unexpected: 'Something went wrong in this view: {problem}',
} as const;

export type Word = keyof typeof WORDS;

/** Return a phrase with its gaps filled. */
export function t(word: Word, gaps: { [name: string]: string | number } = {}): string {
  return WORDS[word].replace(/\{(\w+)\}/g, (_, name: string) => String(gaps[name] ?? ''));
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** Return a number of bytes as people read it. */
export function bytes(size: number): string {
  let value = size;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** Return seconds as a clock: 7 s, 3:07, 1:02:03. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value: number) => String(value).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** Return a metric as people read it: at most six significant digits, text as it is. */
export function value(given: unknown): string {
  if (typeof given === 'number') {
    return Number.isInteger(given) ? given.toLocaleString('en') : String(Number(given.toPrecision(6)));
  }
  return typeof given === 'string' ? given : JSON.stringify(given);
}
