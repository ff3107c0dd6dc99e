"""Closed views leave no resources on the page."""

import json

import pytest

from tests.browser.conftest import Lab
from tests.builders import arguments, ended, group_of, wait_until, workflow

pytestmark = [pytest.mark.timeout(300)]

WORK = "import runwidgets\nrunwidgets.record('a', 1)\nopen('x.csv', 'w').write('a,b\\n1,2\\n')"
VIEWS = {
    "form": "[data-parameter]",
    "run": ".rw-file",
    "results": ".rw-file",
    "table": "tr[data-run]",
    "sweep": ".rw-grid-of button",
    "browser": ".rw-workflow",
}
"""What a view shows when it has drawn what came from the server."""
MOST = {"JSEventListeners": 20, "Nodes": 20, "JSHeapUsedSize": 1_000_000}
"""What may be there more after six hundred views; if each of one kind left something, it were a hundred."""
OPEN_AND_CLOSE = """
async ([base, views, traits, times]) => {
  let listeners = 0;
  for (const [bundle, ready] of Object.entries(views)) {
    const { default: widget } = await import(`${base}static/runwidgets/${bundle}.js`);
    for (let time = 0; time < times; time += 1) {
      const values = { ...traits[bundle] };
      const model = {
        get: (name) => values[name],
        set: (name, value) => { values[name] = value; },
        save_changes: () => undefined,
        on: () => { listeners += 1; },
        off: () => { listeners -= 1; },
        send: () => undefined,
      };
      const el = document.createElement('div');
      document.body.append(el);
      const close = widget.render({ model, el });
      const begun = performance.now();
      while (!el.querySelector(ready)) {
        if (performance.now() - begun > 30000) throw new Error(`${bundle}: no ${ready} in ${el.textContent}`);
        await new Promise(requestAnimationFrame);
      }
      close();
      el.remove();
    }
  }
  return listeners;
}
"""
"""Opens and closes each view many times; the model, which is ipywidgets' part, only counts its listeners."""


def test_six_hundred_views_leave_no_listener_node_or_memory(lab: Lab) -> None:
    """The page holds as much as before; no stream is open, and nothing listens to a widget's model."""
    with lab.server.api() as api:
        made = workflow(api, lab.server.folder, WORK, parameters="x: int = 1")
        run = ended(api, api.runs.start_run(group_of(made), [])["id"])
        sweep = api.sweeps.start_sweep(run["groupId"], [arguments(x=x) for x in (1, 2)])["id"]
        wait_until(lambda: api.sweeps.get_sweep(sweep)["isDone"])
        about = {"_store": api.store(), "arguments": {}, "problems": {}, "columns": [], "selected": []}
    of_run = about | {"run_id": run["id"]}
    of_workflow = about | {"group_id": run["groupId"], "workflow_id": made["id"]}
    traits = {"form": of_workflow, "run": of_run, "results": of_run, "table": of_workflow, "browser": about}
    traits["sweep"] = about | {"sweep_id": sweep}
    page, url = lab.page, lab.server.url
    config = json.dumps({"baseUrl": "/"})
    page.goto(f"{url}lab?reset&token={lab.server.token}")  # for the cookies
    page.route(
        f"{url}blank",
        lambda route: route.fulfill(
            body=f'<script id="jupyter-config-data" type="application/json">{config}</script>',
            content_type="text/html",
        ),
    )
    page.goto(f"{url}blank")
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable")

    def held() -> dict[str, float]:
        """Return the page's resources after a garbage collection."""
        devtools.send("HeapProfiler.collectGarbage")
        return {each["name"]: each["value"] for each in devtools.send("Performance.getMetrics")["metrics"]}

    assert page.evaluate(OPEN_AND_CLOSE, [url, VIEWS, traits, 20]) == 0
    before = held()
    assert page.evaluate(OPEN_AND_CLOSE, [url, VIEWS, traits, 100]) == 0

    def grown() -> list[str]:
        """Return the resources that increased; a pending response holds its view until it arrives."""
        after = held()
        return [name for name, most in MOST.items() if after[name] - before[name] > most]

    wait_until(grown, lambda names: not names)
