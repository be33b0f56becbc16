// The parameters of a connection, shared by all that were opened with the same ones.
#pragma once

#include "runnel/config.h"
#include "stack/base/counted.h"

namespace runnel::tcp {

using SharedConfig = base::Counted<TcpConfig>;

}  // namespace runnel::tcp
