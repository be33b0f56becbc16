#include "stack/tcp/congestion/any_congestion_control.h"

namespace runnel::tcp {

void AnyCongestionControl::choose(CongestionAlgorithm algorithm, const TcpConfig&,
                                  const CongestionParameters& parameters) noexcept {
  algorithm_ = algorithm;
  switch (algorithm) {
    case CongestionAlgorithm::NewReno:
      controller_.emplace<NewReno>(parameters.smss_octets, parameters.initial_window_octets);
      break;
    case CongestionAlgorithm::Bbr:
      controller_.emplace<Bbr>(parameters);
      break;
  }
}

}  // namespace runnel::tcp
