// A server of one's own: the ringcast program, whose rooms may also run the button, the tug and
// the meadow.
//
//   FLAGS=$(pkg-config --static --cflags --libs ringcast)
//   g++ -std=c++23 -O2 main.cpp button.cpp meadow.cpp tug.cpp $FLAGS -o red
//   ./red serve --room red=button,goal=50,rate_hz=20
#include <ringcast/command.h>

#include "button.h"
#include "meadow.h"
#include "tug.h"

int main(int argument_count, char** arguments) {
  ringcast::SimulationRegistry simulations = ringcast::bundled_simulations();
  simulations.emplace("button", example::make_button);
  simulations.emplace("meadow", example::make_meadow);
  simulations.emplace("tug", example::make_tug);
  return ringcast::run_command(argument_count, arguments, simulations);
}
