#include "control/service_manager.h"

#include <unistd.h>

#include <array>
#include <cstdlib>
#include <functional>
#include <string>

#include "catch.h"
#include "control/control.h"
#include "control/manager_socket.h"

namespace ringcast::server {
namespace {

using Texts = std::vector<std::string>;

TEST_CASE("each turn of a service's life is told in the words of sd_notify") {
  const ManagerSocket listening;
  const ServiceManager manager = listening.manager();
  manager.ready("serving 3 rooms");
  manager.reloading(Instant{std::chrono::milliseconds(1'500)});
  manager.alive();
  manager.stopping(std::chrono::seconds(15));
  CHECK(listening.heard() == Texts{"READY=1\nSTATUS=serving 3 rooms\n",
                                   "RELOADING=1\nMONOTONIC_USEC=1500000\n", "WATCHDOG=1\n",
                                   "STOPPING=1\nEXTEND_TIMEOUT_USEC=15000000\nSTATUS=draining\n"});
}

TEST_CASE("what a service manager says is taken out of the environment") {
  const ManagerSocket listening;
  CHECK(listening.manager("30000000").watchdog_timeout() == std::chrono::seconds(30));
  for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) {
    CHECK(std::getenv(name) == nullptr);
  }
  CHECK_FALSE(ServiceManager::from_environment()->watchdog_timeout());
}

TEST_CASE("a watchdog meant for another process is not fed by this one") {
  const ManagerSocket listening;
  const std::string other = std::to_string(::getpid() + 1);
  CHECK_FALSE(listening.manager("30000000", other).watchdog_timeout());
  CHECK_FALSE(listening.manager("soon").watchdog_timeout());
  CHECK(listening.manager("30000000", std::to_string(::getpid())).watchdog_timeout());
}

TEST_CASE("without a service manager nothing is told and nothing fails") {
  const auto manager = ServiceManager::from_environment();
  REQUIRE(manager);
  manager->ready("serving");
  CHECK_FALSE(manager->watchdog_timeout());
}

TEST_CASE("a service manager that can't be reached is told in one sentence") {
  ::setenv("NOTIFY_SOCKET", "/nowhere/notify", 1);
  const auto manager = ServiceManager::from_environment();
  REQUIRE_FALSE(manager);
  CHECK(manager.error().message ==
        "cannot reach the service manager at NOTIFY_SOCKET=/nowhere/notify: No such file or "
        "directory; unset it to run without one");
}

}  // namespace
}  // namespace ringcast::server
