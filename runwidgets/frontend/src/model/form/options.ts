/** The settings of runs that a person sets in a form, as parameters. */

import { t } from '../messages';
import type { JsonValue, ParameterHandle, RunConfig, WorkflowHandle } from '../types';

type Setting = keyof RunConfig;

/** Return the default settings of the runs of a group. */
export const defaultsOf = (workflow: WorkflowHandle, group: string): RunConfig => ({
  ...workflow.config,
  ...workflow.groups.find(({ id }) => id === group)?.config,
});

/** Return the settings as optional parameters, with the defaults of the notebook. */
export function optionParameters(defaults: RunConfig): ParameterHandle[] {
  const one = (name: Setting, dtype: string, label: string, help: string, more = {}): ParameterHandle => {
    const preset = defaults[name] as JsonValue | undefined;
    const own = preset === undefined ? {} : { defaultValue: preset };
    return { name, dtype, label, help, isRequired: false, index: 0, ...own, ...more } as ParameterHandle;
  };
  const folders = [
    { name: t('cwdRun'), value: 'run' },
    { name: t('cwdNotebook'), value: 'notebook' },
  ];
  const seconds = { range: '(0,)', nullable: true };
  const tags = { para: { dtype: 'string' } };
  return [
    one('timeout', 'float', t('optionTimeout'), t('optionTimeoutHelp'), seconds),
    one('cell_timeout', 'float', t('optionCellTimeout'), t('optionCellTimeoutHelp'), seconds),
    one('retries', 'int', t('optionRetries'), t('optionRetriesHelp'), { range: '[0,)' }),
    one('cwd', 'select', t('optionCwd'), t('optionCwdHelp'), { values: folders }),
    one('kernel_name', 'string', t('optionKernel'), t('optionKernelHelp'), { nullable: true }),
    one('skip_tags', 'list', t('optionSkipTags'), t('optionSkipTagsHelp'), tags),
    one('only_tags', 'list', t('optionOnlyTags'), t('optionOnlyTagsHelp'), tags),
    one('allow_errors', 'bool', t('optionAllowErrors'), t('optionAllowErrorsHelp')),
    one('environment', 'record', t('optionEnvironment'), t('optionEnvironmentHelp')),
  ];
}

/** Return the config for the values of the fields: numbers that were typed become numbers. */
export function toConfig(given: readonly (readonly [ParameterHandle, JsonValue])[]): RunConfig {
  const isNumber = ({ dtype }: ParameterHandle, value: JsonValue): boolean =>
    value !== null && (dtype === 'int' || dtype === 'float') && Number.isFinite(Number(value));
  return Object.fromEntries(
    given.map(([parameter, value]) => [parameter.name, isNumber(parameter, value) ? Number(value) : value]),
  );
}
