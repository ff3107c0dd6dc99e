import type { RunRow } from '../../model/runs/run-rows';

/** What keys do in the rows of a table. */
export interface RowActions {
  rows(): readonly RunRow[];
  /** The number of rows of a page. */
  page(): number;
  isSelected(id: string): boolean;
  select(id: string, isOn: boolean, isRange: boolean): void;
  focus(id: string): void;
  open(id: string): void;
  /** Ask whether the selected runs are deleted. */
  remove(): void;
}

/** Let keys move between rows, select, open and delete them. */
export function listenToRowKeys(body: HTMLElement, on: RowActions): void {
  body.addEventListener('keydown', (event: KeyboardEvent) => {
    const target = event.target as HTMLElement;
    const id = target.closest('tr')?.dataset.run;
    if (!id || event.ctrlKey || event.metaKey || event.altKey) return;
    const rows = on.rows();
    const at = rows.findIndex((row) => row.id === id);
    const steps: { [key: string]: number } = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      PageDown: at + on.page(),
      PageUp: at - on.page(),
      Home: 0,
      End: rows.length - 1,
    };
    const step = steps[event.key];
    if (step !== undefined) {
      const row = rows[Math.max(0, Math.min(rows.length - 1, step))];
      if (!row) return;
      if (event.shiftKey) {
        if (!on.isSelected(id)) on.select(id, true, false);
        on.select(row.id, true, true);
      }
      on.focus(row.id);
    } else if (event.key === ' ' && !(target instanceof HTMLInputElement)) {
      on.select(id, !on.isSelected(id), false);
      on.focus(id);
    } else if (event.key === 'Enter' && target.dataset.part === 'row') {
      on.open(id);
    } else if (event.key === 'Delete') {
      if (!on.isSelected(id)) on.select(id, true, false);
      on.remove();
    } else return;
    event.preventDefault();
  });
}
