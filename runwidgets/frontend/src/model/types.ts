/** What crosses the wire, as `runwidgets/schema` describes it, by the same names: what views read of it. */

export type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue };
export type StateName = 'PENDING' | 'RUNNING' | 'SUCCESS' | 'ERROR' | 'CANCELED';
/** Why a run ended in ERROR or CANCELED. */
export type ReasonName =
  | 'cell_error'
  | 'kernel_died'
  | 'out_of_memory'
  | 'kernel_not_started'
  | 'no_reply'
  | 'timeout'
  | 'outputs_missing'
  | 'results_too_large'
  | 'storage_full'
  | 'file_error'
  | 'input_changed'
  | 'runner_not_started'
  | 'runner_died'
  | 'worker_failed'
  | 'worker_lost'
  | 'version_mismatch'
  | 'canceled'
  | 'shutdown'
  | 'sweep_stopped'
  | 'pruned'
  | 'search_interrupted'
  | 'internal_error';
export type Dtype =
  | 'int'
  | 'float'
  | 'bool'
  | 'string'
  | 'select'
  | 'list'
  | 'record'
  | 'file'
  | 'date'
  | 'datetime'
  | 'any';

// -- parameters --------------------------------------------------------------------------------------

export interface SelectChoice {
  name: string;
  value: boolean | number | string;
  isDefault?: boolean;
}

export interface ParameterHandle {
  name: string;
  dtype: Dtype;
  index: number;
  isRequired: boolean;
  label?: string;
  help?: string;
  defaultValue?: JsonValue;
  group?: string;
  nullable?: boolean;
  computed?: boolean;
  source?: string;
  range?: string;
  multipleOf?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  values?: SelectChoice[];
  para?: ParameterHandle;
  items?: ParameterHandle[];
  fields?: ParameterHandle[];
  target?: string;
  secret?: boolean;
}

export interface Argument {
  name: string;
  value: JsonValue;
}

// -- workflows and groups ----------------------------------------------------------------------------

export interface WorkflowDescriptor {
  id: string;
  name: string;
  description?: string;
  lastRunAt?: string;
  activeRuns: number;
}

export interface WorkflowList {
  workflows: WorkflowDescriptor[];
}

export interface ParameterGroup {
  name: string;
  title?: string;
  index?: number;
}

export interface WorkflowGroup {
  id: string;
  name: string;
  config?: RunConfig;
}

/** The settings of runs that a form shows. */
export interface RunConfig {
  timeout?: number | null;
  cell_timeout?: number | null;
  retries?: number;
  cwd?: 'run' | 'notebook';
  kernel_name?: string | null;
  skip_tags?: string[];
  only_tags?: string[];
  allow_errors?: boolean;
  environment?: { [name: string]: string };
}

export interface WorkflowHandle {
  id: string;
  version: string;
  name: string;
  description?: string;
  parameters: ParameterHandle[];
  parameterGroups?: ParameterGroup[];
  config?: RunConfig;
  warnings?: string[];
  groups: WorkflowGroup[];
}

export interface UploadHandle {
  id: string;
  name: string;
  createdAt: string;
  size: number;
}

export interface UploadList {
  files: UploadHandle[];
}

// -- runs --------------------------------------------------------------------------------------------

export interface RunDescriptor {
  id: string;
  state: StateName;
  createdAt: string;
}

export interface FileHandle {
  id: string;
  name: string;
  title?: string;
  caption?: string;
  mimeType: string;
  size: number;
}

export interface ResultFileHandle extends FileHandle {
  sha256: string;
}

export interface PartialFileHandle extends FileHandle {
  sha256?: string;
}

export interface Progress {
  cell?: number;
  cells?: number;
  source?: string;
  fraction: number;
  text: string;
  heartbeatAt: string;
  endedEarly?: number;
  errors?: number;
}

export interface RunHandle extends RunDescriptor {
  workflowId: string;
  groupId: string;
  arguments: Argument[];
  parameters: ParameterHandle[];
  metrics: { [name: string]: JsonValue };
  notebook: string;
  version: string;
  warnings?: string[];
  progress?: Progress;
  startedAt?: string;
  finishedAt?: string;
  reason?: ReasonName;
  messages?: string[];
  files?: ResultFileHandle[];
  partialFiles?: PartialFileHandle[];
  isEnding?: boolean;
}

export interface TablePage {
  columns: string[];
  rows: JsonValue[][];
  next?: string;
}

export interface LogPiece {
  text: string;
  offset: number;
  next: number;
  size: number;
}

export interface Series {
  steps: number[];
  values: (number | 'NaN' | 'Infinity' | '-Infinity')[];
}

export interface RunSeries {
  series: { [name: string]: Series };
}

// -- sweeps ------------------------------------------------------------------------------------------

export type StateCounts = { [state in StateName]: number };

export interface Objective {
  metric: string;
  direction: 'minimize' | 'maximize';
}

export interface SearchConfig {
  objectives: Objective[];
}

export interface SweepConfig {
  search?: SearchConfig;
}

export interface SweepHandle {
  id: string;
  name: string;
  groupId: string;
  workflowId: string;
  createdAt: string;
  config: SweepConfig;
  total: number;
  counts: StateCounts;
  varied: string[];
  isDone: boolean;
  isPaused: boolean;
}

// -- events ------------------------------------------------------------------------------------------

interface EventStem {
  seq: number;
  runId: string;
  groupId: string;
  sweepId?: string;
  at: string;
}

export interface StateChange {
  state: StateName;
  startedAt?: string;
  finishedAt?: string;
  reason?: ReasonName;
  messages?: string[];
}

export interface MetricRecord {
  name: string;
  value: JsonValue;
  step?: number;
  attempt?: number;
  points?: [number, JsonValue][];
}

export interface LogGrowth {
  size: number;
}

export interface FileListing {
  count: number;
}

export interface PauseChange {
  isPaused: boolean;
}

export interface StateEvent extends EventStem {
  kind: 'state';
  data: StateChange;
}

export interface ProgressEvent extends EventStem {
  kind: 'progress';
  data: Progress;
}

export interface MetricEvent extends EventStem {
  kind: 'metric';
  data: MetricRecord;
}

export interface LogEvent extends EventStem {
  kind: 'log';
  data: LogGrowth;
}

export interface FilesEvent extends EventStem {
  kind: 'files';
  data: FileListing;
}

export interface DeletedEvent extends EventStem {
  kind: 'deleted';
  data: { [key: string]: never };
}

export interface PausedEvent extends EventStem {
  kind: 'paused';
  data: PauseChange;
}

export type RunEvent = StateEvent | ProgressEvent | MetricEvent | LogEvent | FilesEvent | DeletedEvent | PausedEvent;

// -- the service -------------------------------------------------------------------------------------

export interface ErrorBody {
  message: string;
  error: string;
  subject?: string;
  problem?: string;
  point?: number;
}
