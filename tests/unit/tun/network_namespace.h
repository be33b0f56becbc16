// Runs a test's body where it may do what it likes with network interfaces.
#pragma once

#include <functional>
#include <string>

namespace runnel::tun {

// Runs `body` in a child process that is root in network and mount namespaces of its own, without a
// route out: as root directly, else inside a user namespace. They vanish with the child. What fails
// in `body` fails the test, and so does a system that gives no namespaces, and taking longer than a
// minute.
void in_network_namespace(const std::function<void()>& body);

// Runs a shell command, which must succeed.
void shell(const std::string& command);

// Gives up one capability (CAP_NET_ADMIN, ...) of this thread.
void drop_capability(int capability);

// Puts an empty file system in the place of /dev/net, in this mount namespace.
void hide_dev_net();

}  // namespace runnel::tun
