"""What people touch in a notebook: one view each, written in TypeScript and hosted by anywidget."""
