import { expect, test, vi } from 'vitest';
import { watchPress } from '../src/views/press';

test('what redraws an element waits while a mouse button is down in it, and happens once', async () => {
  const element = document.createElement('div');
  document.body.append(element);
  const press = watchPress(element);
  const redraw = vi.fn();

  press.settled(redraw);
  expect(redraw).toHaveBeenCalledTimes(1);
  element.dispatchEvent(new Event('pointerdown'));
  press.settled(redraw);
  press.settled(redraw);
  expect(redraw).toHaveBeenCalledTimes(1);
  document.dispatchEvent(new Event('pointerup'));
  expect(redraw).toHaveBeenCalledTimes(1); // the click comes first
  await vi.waitFor(() => expect(redraw).toHaveBeenCalledTimes(2));

  element.dispatchEvent(new Event('pointerdown'));
  press.settled(redraw);
  press.close();
  document.dispatchEvent(new Event('pointerup'));
  await new Promise((done) => setTimeout(done));
  expect(redraw).toHaveBeenCalledTimes(2);
});
