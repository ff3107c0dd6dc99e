import { expect, test } from 'vitest';
import { bytes, clock, took, value } from '../src/model/format';

test('numbers are shown as people read them', () => {
  expect([bytes(999), bytes(1500), bytes(44_700_000)]).toEqual(['999 B', '1.5 kB', '44.7 MB']);
  expect([clock(7.9), clock(187), clock(3723)]).toEqual(['7 s', '3:07', '1:02:03']);
  expect([took(0.04), took(7.94), took(12.7), took(187)]).toEqual(['0.0 s', '7.9 s', '12 s', '3:07']);
  expect([value(0.98148148), value(1234567), value('NaN'), value([1])]).toEqual([
    '0.981481',
    '1,234,567',
    'NaN',
    '[1]',
  ]);
});
