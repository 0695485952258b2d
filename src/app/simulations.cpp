#include "app/simulations.h"

#include "arena/arena.h"
#include "echo/echo.h"

namespace ringcast::app {

SimulationRegistry bundled_simulations() {
  return {{"arena", arena::make_arena}, {"echo", echo::make_echo}};
}

}  // namespace ringcast::app
