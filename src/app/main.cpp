#include "ringcast/command.h"

int main(int argument_count, char** arguments) {
  return ringcast::run_command(argument_count, arguments, ringcast::bundled_simulations());
}
