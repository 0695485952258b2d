// Undefined behaviour ends a run, as a broken property does. By itself UBSan reports and goes on.
extern "C" const char* __ubsan_default_options() {
  return "halt_on_error=1:print_stacktrace=1";
}
