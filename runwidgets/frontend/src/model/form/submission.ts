/** Starts the runs of a form. */

import type { Transport } from '../transport';
import type { JsonValue, ParameterHandle, RunConfig, RunHandle, SweepHandle } from '../types';
import { combine, type Swept } from './parameter-space';

type Given = [ParameterHandle, JsonValue][];

const toArguments = (given: Given): JsonValue => given.map(([{ name }, value]) => ({ name, value }));

/** Start a run, or a sweep if parameters take several values; returns the id of one of them. */
export async function submitRuns(
  transport: Transport,
  groupId: string,
  given: Given,
  swept: Swept,
  config: RunConfig & { key: string },
): Promise<{ run_id: string; sweep_id: string }> {
  if (swept.length === 0) {
    const body = { arguments: toArguments(given), config: config as unknown as JsonValue };
    return { run_id: (await transport.send<RunHandle>('POST', `groups/${groupId}/runs`, body)).id, sweep_id: '' };
  }
  const body = {
    arguments: combine(swept).map((point) => toArguments([...given, ...point])),
    config: config as unknown as JsonValue,
  };
  return { run_id: '', sweep_id: (await transport.send<SweepHandle>('POST', `groups/${groupId}/sweeps`, body)).id };
}
