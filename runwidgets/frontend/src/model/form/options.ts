/** The settings of runs that a person sets in a form, as parameters. */

import { t } from '../messages';
import type { JsonValue, ParameterHandle, RunConfig } from '../types';
import { show } from './argument-validation';

type Setting = keyof RunConfig;

/** Return the settings as optional parameters, whose help states the default of the notebook. */
export function optionParameters(defaults: RunConfig): ParameterHandle[] {
  const one = (name: Setting, dtype: string, label: string, help: string, more = {}): ParameterHandle => {
    const preset = defaults[name] as JsonValue | undefined;
    const parts = [help, ...(preset === undefined ? [] : [t('default', { value: show(preset) })])];
    return { name, dtype, label, help: parts.join(' · '), isRequired: false, index: 0, ...more } as ParameterHandle;
  };
  const folders = [
    { name: t('cwdRun'), value: 'run' },
    { name: t('cwdNotebook'), value: 'notebook' },
  ];
  const tags = { para: { dtype: 'string' } };
  return [
    one('timeout', 'float', t('optionTimeout'), t('optionTimeoutHelp'), { range: '(0,)' }),
    one('cell_timeout', 'float', t('optionCellTimeout'), t('optionCellTimeoutHelp'), { range: '(0,)' }),
    one('retries', 'int', t('optionRetries'), t('optionRetriesHelp'), { range: '[0,)' }),
    one('cwd', 'select', t('optionCwd'), t('optionCwdHelp'), { values: folders }),
    one('kernel_name', 'string', t('optionKernel'), t('optionKernelHelp')),
    one('skip_tags', 'list', t('optionSkipTags'), t('optionSkipTagsHelp'), tags),
    one('only_tags', 'list', t('optionOnlyTags'), t('optionOnlyTagsHelp'), tags),
    one('allow_errors', 'bool', t('optionAllowErrors'), t('optionAllowErrorsHelp')),
    one('environment', 'record', t('optionEnvironment'), t('optionEnvironmentHelp')),
  ];
}

/** Return the config for the values of the fields: numbers that were typed become numbers. */
export function toConfig(given: readonly (readonly [ParameterHandle, JsonValue])[]): RunConfig {
  const isNumber = ({ dtype }: ParameterHandle, value: JsonValue): boolean =>
    (dtype === 'int' || dtype === 'float') && Number.isFinite(Number(value));
  return Object.fromEntries(
    given.map(([parameter, value]) => [parameter.name, isNumber(parameter, value) ? Number(value) : value]),
  );
}
