/** Every word that a view shows, in one table. */

const WORDS = {
  PENDING: 'Waiting',
  RUNNING: 'Running',
  SUCCESS: 'Succeeded',
  ERROR: 'Failed',
  CANCELED: 'Cancelled',
  start: 'Start',
  starting: 'Starting…',
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
  noPreview: 'no preview for this type; download it',
  rowsCut: 'showing the first {rows} of {total} rows',
  columnsCut: 'and the first {columns} of {total} columns',
  textCut: 'showing the first {size}',
  notUtf8: 'not text in UTF-8; download it',
  // runs as a table
  state: 'State',
  started: 'Started',
  duration: 'Duration',
  message: 'Message',
  run: 'Run',
  runs: 'Runs',
  argument: 'argument',
  metric: 'metric',
  filter: 'Filter runs',
  filterHint: 'Filter: state:failed lr>0.01 tree',
  columns: 'Columns',
  csv: 'CSV',
  selectAll: 'Select all runs shown',
  selectRun: 'Select run {name}',
  openRun: 'Run {name}',
  countOf: '{n} of {all} runs',
  loadedSoFar: 'Loading… {n} runs so far',
  noRuns: 'No runs yet. Start one with the form, or with rw.run(…).',
  noMatch: 'No run matches “{filter}”.',
  clearFilter: 'Clear the filter',
  selectedCount: '{n} selected',
  clearSelection: 'Clear selection',
  compare: 'Compare',
  comparison: 'Comparison of runs',
  compareMost: 'up to {n} runs can be compared',
  onlyDifferences: 'Only differences',
  differs: 'differs',
  allSame: 'These runs do not differ in arguments or metrics.',
  cancelMany: 'Cancel {n}',
  cancelManyAsk: 'Cancel {n} runs?',
  deleteMany: 'Delete {n}',
  deleteManyAsk: 'Delete {n} runs and their files?',
  refused: '{n} refused, the first because: {why}',
  close: 'Close',

  // the form
  required: 'required',
  default: 'default {value}',
  reset: 'Reset to default',
  resetShort: 'reset',
  resetAll: 'Reset all',
  wasReset: 'Every field holds its default again.',
  copyCode: 'Copy as code',
  copied: 'The code was copied.',
  copyByHand: 'This page may not copy by itself; the code is below.',
  codeOf: 'Code of this run',
  noParameters: 'This template takes no parameters. To add some, put them as assignments into a cell of the notebook, such as “alpha = 0.1”, and give the cell the tag “parameters” (property inspector, Cell Tags).',
  missing: 'no value was given',
  missingFields: 'Missing: {names}',
  wrongFields: 'To correct: {names}',
  fixProblems: 'Please correct {n}:',
  oneField: '1 field',
  manyFields: '{n} fields',
  readOnly: 'This form is read-only.',
  noGroup: 'You are in no group of this workflow, so that you cannot start runs of it.',
  retry: 'Try again',
  staleForm: 'The server was not reached since {time}; trying again. What is filled in stays.',
  templateChanged: 'The template has changed; what was filled in was kept where it still fits.',
  unknownGiven: 'There is no parameter {names} here; left out.',
  choose: 'choose…',
  noValue: 'no value',
  searchHint: 'type to search {n} choices',
  noneFound: 'No choice has this text.',
  moreFound: '{n} more; type to see fewer.',
  noneOf: '{value} is none of the {n} choices',
  asJson: 'as JSON',
  noJson: 'this is no JSON: {problem}',
  lostNumber: '{number} has more digits than a form can send; start this run from Python',
  halfDate: 'the date is not complete',
  sliderOf: '{name}, slider',
  itemsOf: 'Items of {name}',
  itemOf: '{name} {n}',
  itemProblem: 'item {n}: {problem}',
  addItem: 'add…',
  add: 'Add',
  addTo: 'Add to {name}',
  remove: 'Remove',
  removeItem: 'Remove {name}',
  tagsOfNumbers: 'Enter or comma adds, Backspace takes back',
  tagsOfText: 'Enter adds, Backspace takes back',
  rowsHint: 'Enter adds a row',
  emptyRecord: 'no value while nothing is filled in',
  unknownField: "there is no field '{name}'",
  chooseUpload: 'choose an upload…',
  chooseFile: 'Upload…',
  browseServer: 'From the server…',
  dropHere: 'or drop a file here',
  dropHereUpTo: 'or drop a file here, up to {size}',
  uploading: 'Taking {name}…',
  uploaded: '{name} is uploaded, {size}.',
  uploadStopped: 'The upload was stopped.',
  uploadProgress: 'Upload for {name}',
  uploadGone: 'this upload was deleted; choose another one',
  stillUploading: 'the upload is not finished',
  stopUpload: 'Stop',
  stopUploadOf: 'Stop the upload of {name}',
  oneFile: 'one file is taken here, not {n}',
  noFile: 'this is no uploaded file; choose one',
  fileTooLarge: '{name} has {size}, which is more than the limit of {limit}',
  serverFiles: 'Files of the server',
  parentFolder: 'Folder above',
  openFolder: 'Open folder {name}',
  emptyFolder: 'This folder is empty.',
  noContents: 'The files of the server cannot be shown here: {problem}',
  closePanel: 'Close',
  earlier: 'Earlier runs…',
  earlierRuns: 'Earlier runs',
  noEarlier: 'No run was started yet in this group.',
  onlyDefaults: 'only defaults',
  filledFrom: 'Filled in as the run of {time} was.',
  filledButSecrets: 'Secrets are not kept: {names}.',
  useRun: 'Use the arguments of the run of {time}, {state}: {what}',
  moreArguments: 'and {n} more',

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
