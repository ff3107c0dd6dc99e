/** What crosses the wire, as `service/base.py` describes it. */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type State = 'PENDING' | 'RUNNING' | 'SUCCESS' | 'ERROR' | 'CANCELED';
export type Dtype = 'int' | 'float' | 'bool' | 'string' | 'select' | 'list' | 'record' | 'file' | 'date' | 'datetime';

export interface Parameter {
  name: string;
  dtype: Dtype;
  index?: number;
  isRequired: boolean;
  label?: string;
  help?: string;
  defaultValue?: Json;
  group?: string;
  range?: string;
  values?: { name: string; value: Json; isDefault?: boolean }[];
  para?: Parameter;
  fields?: Parameter[];
  target?: string;
  secret?: boolean;
}

export interface Argument {
  name: string;
  value: Json;
}

export interface Workflow {
  id: string;
  name: string;
  description?: string;
  parameters: Parameter[];
  parameterGroups?: { name: string; title?: string }[];
  groups: { id: string; name: string }[];
}

export interface ResultFile {
  id: string;
  name: string;
  title?: string;
  caption?: string;
  mimeType: string;
  size: number;
  sha256: string;
}

export interface Progress {
  cell?: number;
  cells?: number;
  fraction: number;
  text: string;
  source?: string;
}

export interface Run {
  id: string;
  state: State;
  createdAt: string;
  workflowId: string;
  groupId: string;
  arguments: Argument[];
  parameters: Parameter[];
  notebook?: string;
  startedAt?: string;
  finishedAt?: string;
  messages?: string[];
  files?: ResultFile[];
  progress?: Progress;
  metrics?: { [name: string]: Json };
}

export interface RunEvent {
  seq: number;
  runId: string;
  groupId: string;
  sweepId?: string;
  kind: 'state' | 'progress' | 'metric' | 'log' | 'deleted' | 'paused';
  data: { [key: string]: Json };
  at: string;
}

export interface Sweep {
  id: string;
  name: string;
  groupId: string;
  workflowId: string;
  createdAt: string;
  total: number;
  counts: { [state in State]: number };
  varied: string[];
  isDone: boolean;
  isPaused: boolean;
}

export interface LogPiece {
  text: string;
  offset: number;
  next: number;
  size: number;
}

export interface Upload {
  id: string;
  name: string;
  createdAt: string;
  size: number;
}
