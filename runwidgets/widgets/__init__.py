"""The widgets of a notebook: views written in TypeScript and hosted by anywidget."""
