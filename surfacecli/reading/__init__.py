"""How a preset is read: text, marks, schema, arrays, and what is wrong with any of them."""
