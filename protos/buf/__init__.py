"""Generated code of the rule options of protovalidate, which our generated code imports."""
