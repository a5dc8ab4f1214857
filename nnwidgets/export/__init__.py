"""What leaves a widget: tables, figures, pages; no browser, kernel or pyplot is needed."""
