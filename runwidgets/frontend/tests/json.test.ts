import { describe, expect, it } from 'vitest';
import { parseJson } from '../src/model/json';

describe('JSON', () => {
  it('keeps all digits of a whole number', () => {
    const text = '{"a": 12345678901234567890, "b": [-9007199254740993, 9007199254740991], "c": 300}';
    expect(parseJson(text)).toEqual({
      a: '12345678901234567890',
      b: ['-9007199254740993', 9007199254740991],
      c: 300,
    });
  });
  it('leaves texts and other numbers as they are', () => {
    const value = {
      text: 'a "quoted" 12345678901234567890, and \\ 12345678901234567890',
      fraction: 0.1234567890123456,
      large: 1.2345678901234568e30,
    };
    expect(parseJson(JSON.stringify(value))).toEqual(value);
    expect(parseJson('[0.12345678901234567890, 12345678901234567890e1]')).toEqual([
      0.12345678901234568, 123456789012345680000,
    ]);
  });
});
