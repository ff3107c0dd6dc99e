import { expect, test } from 'vitest';
import cases from '../../../tests/templates/cases.json';
import { problemOf } from '../src/model/form/argument-validation';
import { describeRange, parseRange } from '../src/model/form/ranges';
import type { JsonValue, ParameterHandle } from '../src/model/types';

interface Case {
  parameter: ParameterHandle;
  value: JsonValue;
  cast?: JsonValue;
  problem?: string;
  judge?: string;
}

const CASES = cases as unknown as Case[];

function parameterOf(given: ParameterHandle): ParameterHandle {
  return { ...given, isRequired: given.isRequired ?? given.defaultValue === undefined };
}

test.each(CASES)('the browser validates as the server does: $parameter.dtype $value', (each) => {
  const problem = problemOf(parameterOf(each.parameter), each.value);

  if (each.judge === 'server') expect(problem === null || problem === each.problem).toBe(true);
  else expect(problem).toBe(each.problem ?? null);
});

test('a range is described in words', () => {
  const said = ['[1,100]', '(0,1]', '[1,)', '(,5)', '(0,)'].map((text) => {
    const range = parseRange(text);
    return range && describeRange(range);
  });

  expect(said).toEqual(['1 to 100', 'above 0 and at most 1', 'at least 1', 'below 5', 'above 0']);
});
