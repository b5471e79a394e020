"""Generated code of the `.proto` files beside it. Use it through `headgate.pb`."""
