// The constants of BBRv3: draft-ietf-ccwg-bbr-06 sections 2.4 to 2.16.
#pragma once

#include <chrono>
#include <cstdint>

#include "runnel/time.h"
#include "stack/tcp/congestion/bbr/arithmetic.h"

namespace runnel::tcp::bbr {

// --- Gains (sections 2.5, 2.6 and 5.6.1) ---------------------------------------------------------
inline constexpr Percent kStartupPacingGain{277};  // 4 ln 2: the sending rate doubles each round
inline constexpr Percent kDrainPacingGain{50};
inline constexpr Percent kProbeDownPacingGain{90};
inline constexpr Percent kProbeUpPacingGain{125};
inline constexpr Percent kUnityPacingGain{100};  // cruising, refilling, probing for the RTT
inline constexpr Percent kDefaultCwndGain{200};
inline constexpr Percent kProbeUpCwndGain{225};
inline constexpr Percent kProbeRttCwndGain{50};
// What is left of the rate after BBR.PacingMarginPercent.
inline constexpr Percent kAfterPacingMargin{99};

// --- Responses to loss (section 2.8) -------------------------------------------------------------
inline constexpr Percent kLossThresh{2};
inline constexpr Percent kBeta{70};
inline constexpr Percent kHeadroom{15};
inline constexpr std::uint32_t kStartupFullLossCnt = 6;  // discontiguous lost ranges

// --- Full pipe (section 5.3.1.2) -----------------------------------------------------------------
inline constexpr Percent kFullBwGrowth{125};
inline constexpr std::uint32_t kFullBwCount = 3;
inline constexpr std::uint64_t kDrainRounds = 3;

// --- Volumes -------------------------------------------------------------------------------------
inline constexpr std::uint64_t kMinPipeCwndSegments = 4;
inline constexpr std::uint64_t kOffloadBudgetQuanta = 3;  // section 5.5.8.1
inline constexpr std::uint64_t kLargestQuantum = 65536;   // section 5.6.3: 64 KBytes
inline constexpr std::uint64_t kSmallestQuantumSegments = 2;
inline constexpr Duration kQuantumTime = std::chrono::milliseconds(1);

// --- Times and windows of time -------------------------------------------------------------------
inline constexpr Duration kMinRttFilterLen = std::chrono::seconds(10);
inline constexpr Duration kProbeRttInterval = std::chrono::seconds(5);
inline constexpr Duration kProbeRttDuration = std::chrono::milliseconds(200);
inline constexpr Duration kShortestProbeWait = std::chrono::seconds(2);
inline constexpr Duration kProbeWaitSpread = std::chrono::seconds(1);
inline constexpr std::uint64_t kMostProbeWaitRounds = 63;  // or 62: one is forgiven at random
inline constexpr std::uint64_t kExtraAckedFilterLen = 10;  // rounds
inline constexpr std::uint64_t kExtraAckedFilterLenInStartup = 1;
inline constexpr Duration kNominalRtt = std::chrono::milliseconds(1);  // before the first sample

}  // namespace runnel::tcp::bbr
