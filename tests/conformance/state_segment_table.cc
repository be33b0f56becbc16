// Every state against every kind of segment at every edge of the receive window: what is sent, and
// which state follows. The table is RFC 9293 section 3.10.7 written out, with RFC 5961's answers to
// RST and SYN and RFC 6191's to a SYN in TIME-WAIT.
//
// A cell is "answer state". Answers:
//    -    nothing
//    A    one ACK: SEQ = SND.NXT, ACK = RCV.NXT
//    ?    nothing or one ACK: the RFC leaves it open
//    R    RST with SEQ = SEG.ACK, without ACK
//    Ra   RST,ACK with SEQ = 0, ACK = SEG.SEQ + SEG.LEN
//    SA   SYN,ACK
// States: = the same, CL (TCB is gone), LI, SS, SR, ES, F1, F2, CW, CG, LA, TW.
// A whole cell of "*" is not tested.
#include <array>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/tcp_tester.h"

namespace runnel::test {
namespace {

// Where SEG.SEQ lies.
enum class Position : std::uint8_t { Old, Exact, Next, Last, Beyond };
constexpr std::array<const char*, 5> kPositionNames = {"RCV.NXT-1", "RCV.NXT", "RCV.NXT+1",
                                                       "last in window", "right of window"};

// The twelve kinds of segments. DATA is four octets; `una` and `nxt` say what is acknowledged.
constexpr std::array<const char*, 12> kKinds = {
    "SYN",         "SYN,ACK nxt", "ACK nxt",     "ACK una", "ACK nxt+1", "DATA,ACK",
    "DATA no ACK", "FIN,ACK una", "FIN,ACK nxt", "RST",     "RST,ACK",   "no flags"};

struct Row {
  std::array<const char*, 5> cells;  // by Position
};

struct StateTable {
  const char* name;
  TcpState state;
  Opening opening;
  std::array<Row, 12> rows;  // in the order of kKinds
};

constexpr Row all(const char* cell) {
  return {{cell, cell, cell, cell, cell}};
}
// Acceptable at any place inside the window, and answered with an ACK outside.
constexpr Row inside(const char* cell) {
  return {{"A =", cell, cell, cell, "A ="}};
}
constexpr Row kReset = {{"- =", "- CL", "A =", "A =", "- ="}};
constexpr Row kDataWithoutAck = {{"- =", "- =", "- =", "- =", "A ="}};
// Text behind a FIN is ignored; it may be acknowledged.
constexpr Row kTextIgnored = {{"? =", "? =", "? =", "? =", "A ="}};
constexpr Row kFinAgain = {{"A =", "? =", "? =", "? =", "A ="}};

const std::vector<StateTable>& tables() {
  static const std::vector<StateTable> kTables = {
      {"CLOSED",
       TcpState::Closed,
       Opening::Active,
       {all("Ra ="), all("R ="), all("R ="), all("R ="), all("R ="), all("R ="), all("Ra ="),
        all("R ="), all("R ="), all("- ="), all("- ="), all("Ra =")}},
      {"LISTEN",
       TcpState::Listen,
       Opening::Passive,
       {all("SA SR"), all("R ="), all("R ="), all("R ="), all("R ="), all("R ="), all("- ="),
        all("R ="), all("R ="), all("- ="), all("- ="), all("- =")}},
      {"SYN-SENT",
       TcpState::SynSent,
       Opening::Active,
       {all("SA SR"), all("A ES"), all("- ="), all("R ="), all("R ="), all("- ="), all("- ="),
        all("R ="), all("- ="), all("- ="), all("- CL"), all("- =")}},
      {"SYN-RECEIVED, passive",
       TcpState::SynReceived,
       Opening::Passive,
       {Row{{"SA =", "A =", "A =", "A =", "A ="}}, Row{{"*", "A =", "A =", "A =", "A ="}},
        inside("- ES"), inside("R ="), inside("R ="), Row{{"A ES", "A ES", "A ES", "A ES", "A ="}},
        kDataWithoutAck, inside("R ="), Row{{"A =", "A CW", "A ES", "A ES", "A ="}},
        Row{{"- =", "- LI", "A =", "A =", "- ="}}, Row{{"- =", "- LI", "A =", "A =", "- ="}},
        inside("- =")}},
      {"SYN-RECEIVED, active",
       TcpState::SynReceived,
       Opening::Active,
       {Row{{"SA =", "A =", "A =", "A =", "A ="}}, Row{{"? ES", "A =", "A =", "A =", "A ="}},
        inside("- ES"), inside("R ="), inside("R ="), Row{{"A ES", "A ES", "A ES", "A ES", "A ="}},
        kDataWithoutAck, inside("R ="), Row{{"A =", "A CW", "A ES", "A ES", "A ="}}, kReset, kReset,
        inside("- =")}},
      {"ESTABLISHED",
       TcpState::Established,
       Opening::Active,
       {all("A ="), all("A ="), inside("- ="), inside("- ="), all("A ="), all("A ="),
        kDataWithoutAck, Row{{"A =", "A CW", "A =", "A =", "A ="}},
        Row{{"A =", "A CW", "A =", "A =", "A ="}}, kReset, kReset, inside("- =")}},
      {"FIN-WAIT-1",
       TcpState::FinWait1,
       Opening::Active,
       {all("A ="), all("A ="), inside("- F2"), inside("- ="), all("A ="), all("A ="),
        kDataWithoutAck, Row{{"A =", "A CG", "A =", "A =", "A ="}},
        Row{{"A =", "A TW", "A F2", "A F2", "A ="}}, kReset, kReset, inside("- =")}},
      {"FIN-WAIT-2",
       TcpState::FinWait2,
       Opening::Active,
       {all("A ="), all("A ="), inside("- ="), inside("- ="), all("A ="), all("A ="),
        kDataWithoutAck, Row{{"A =", "A TW", "A =", "A =", "A ="}},
        Row{{"A =", "A TW", "A =", "A =", "A ="}}, kReset, kReset, inside("- =")}},
      {"CLOSE-WAIT",
       TcpState::CloseWait,
       Opening::Active,
       {all("A ="), all("A ="), inside("- ="), inside("- ="), all("A ="), kTextIgnored,
        kDataWithoutAck, kFinAgain, kFinAgain, kReset, kReset, inside("- =")}},
      {"CLOSING",
       TcpState::Closing,
       Opening::Active,
       {all("A ="), all("A ="), inside("- TW"), inside("- ="), all("A ="), kTextIgnored,
        kDataWithoutAck, kFinAgain, Row{{"*", "? TW", "? TW", "? TW", "A ="}}, kReset, kReset,
        inside("- =")}},
      {"LAST-ACK",
       TcpState::LastAck,
       Opening::Active,
       {all("A ="), all("A ="), inside("- CL"), inside("- ="), all("A ="), kTextIgnored,
        kDataWithoutAck, kFinAgain, Row{{"*", "- CL", "- CL", "- CL", "A ="}}, kReset, kReset,
        inside("- =")}},
      {"TIME-WAIT",
       TcpState::TimeWait,
       Opening::Passive,
       {Row{{"- =", "*", "SA SR", "SA SR", "SA SR"}}, all("? ="),
        Row{{"A =", "- =", "? =", "? =", "A ="}}, Row{{"A =", "- =", "? =", "? =", "A ="}},
        Row{{"A =", "? =", "? =", "? =", "A ="}}, kTextIgnored, kDataWithoutAck, kFinAgain,
        kFinAgain, kReset, kReset, inside("- =")}},
  };
  return kTables;
}

TcpState state_named(const std::string& name, TcpState same) {
  static const std::map<std::string, TcpState> kNames = {
      {"CL", TcpState::Closed},      {"LI", TcpState::Listen},      {"SS", TcpState::SynSent},
      {"SR", TcpState::SynReceived}, {"ES", TcpState::Established}, {"F1", TcpState::FinWait1},
      {"F2", TcpState::FinWait2},    {"CW", TcpState::CloseWait},   {"CG", TcpState::Closing},
      {"LA", TcpState::LastAck},     {"TW", TcpState::TimeWait}};
  return name == "=" ? same : kNames.at(name);
}

class StateSegmentTable : public TcpTester, public ::testing::WithParamInterface<std::size_t> {
 protected:
  // What the TCB holds before the segment arrives.
  struct Before {
    std::uint32_t snd_una = 0;
    std::uint32_t snd_nxt = 0;
    std::uint32_t rcv_nxt = 0;
  };

  [[nodiscard]] Before before(TcpState state) const {
    const bool has_peer_fin = state == TcpState::CloseWait || state == TcpState::Closing ||
                              state == TcpState::LastAck || state == TcpState::TimeWait;
    const std::uint32_t rcv_nxt = their(has_peer_fin ? 1 : 0);
    switch (state) {
      case TcpState::Closed:
      case TcpState::Listen:
        return {7000, 7000, rcv_nxt};
      case TcpState::SynSent:
      case TcpState::SynReceived:
        return {iss(), our(0), rcv_nxt};
      case TcpState::Established:
      case TcpState::CloseWait:
        return {our(0), our(0), rcv_nxt};
      case TcpState::FinWait1:
      case TcpState::Closing:
      case TcpState::LastAck:
        return {our(0), our(1), rcv_nxt};
      case TcpState::FinWait2:
      case TcpState::TimeWait:
        return {our(1), our(1), rcv_nxt};
    }
    return {};
  }

  [[nodiscard]] std::uint32_t seq_at(Position position, const Before& tcb) const {
    switch (position) {
      case Position::Old:
        return tcb.rcv_nxt - 1;
      case Position::Exact:
        return tcb.rcv_nxt;
      case Position::Next:
        return tcb.rcv_nxt + 1;
      case Position::Last:
        return announced_edge() - 1;
      case Position::Beyond:
        return announced_edge();
    }
    return 0;
  }

  [[nodiscard]] SegmentBuilder make(std::size_t kind, std::uint32_t seq, const Before& tcb,
                                    TcpState state) const {
    // In SYN-RECEIVED only an ACK of our SYN lets text through.
    const bool is_early = state == TcpState::SynReceived || state == TcpState::SynSent;
    SegmentBuilder seg = segment().seq(seq);
    switch (kind) {
      case 0:
        return seg.syn().mss(1460);
      case 1:
        return seg.syn().ack(tcb.snd_nxt).mss(1460);
      case 2:
        return seg.ack(tcb.snd_nxt);
      case 3:
        return seg.ack(tcb.snd_una);
      case 4:
        return seg.ack(tcb.snd_nxt + 1);
      case 5:
        return seg.ack(is_early ? tcb.snd_nxt : tcb.snd_una).payload("data");
      case 6:
        return seg.payload("data");
      case 7:
        return seg.ack(tcb.snd_una).fin();
      case 8:
        return seg.ack(tcb.snd_nxt).fin();
      case 9:
        return seg.rst();
      case 10:
        return seg.rst().ack(tcb.snd_nxt);
      default:
        return seg;
    }
  }

  void check_answer(const std::string& answer, const SentSegment& in, const Before& tcb) {
    const std::vector<SentSegment> sent = all_sent();
    if (answer == "?" && sent.empty()) return;
    if (answer == "-") {
      EXPECT_TRUE(sent.empty()) << "sent " << sent.front();
      return;
    }
    ASSERT_EQ(sent.size(), 1U) << "one segment is to be sent";
    const std::optional<SentSegment> out = sent.front();
    if (answer == "A" || answer == "?") {
      EXPECT_THAT(out, AllOf(IsPureAck(), HasSeq(tcb.snd_nxt)));
      EXPECT_LE(out->ack - tcb.rcv_nxt, 4U) << "RCV.NXT is acknowledged";
    } else if (answer == "R") {
      EXPECT_THAT(out, AllOf(IsRst(), HasNoAckBit(), HasSeq(in.ack)));
    } else if (answer == "Ra") {
      EXPECT_THAT(out, AllOf(IsRst(), HasSeq(0U), HasAck(in.seq + in.length())));
    } else {
      EXPECT_THAT(out, AllOf(IsSynAck(), HasAck(in.flags.syn ? in.seq + 1 : tcb.rcv_nxt)));
    }
  }

  void check_cell(const StateTable& table, std::size_t kind, Position position) {
    const std::string cell = table.rows[kind].cells[static_cast<std::size_t>(position)];
    if (cell == "*") return;
    SCOPED_TRACE(std::string(table.name) + ", " + kKinds[kind] + " at " +
                 kPositionNames[static_cast<std::size_t>(position)] + ": " + cell);
    rebuild(Config{});
    bring_to(table.state, table.opening);
    Before tcb = before(table.state);
    const SegmentBuilder seg = make(kind, seq_at(position, tcb), tcb, table.state);
    const auto in = SentSegment::parse(seg.build(), {}, now());
    if (table.state == TcpState::SynSent) tcb.rcv_nxt = in->seq + 1;
    send(seg);
    advance(40ms);  // a delayed ACK is an ACK, too

    std::istringstream words(cell);
    std::string answer;
    std::string next;
    words >> answer >> next;
    check_answer(answer, *in, tcb);
    const TcpState wanted = state_named(next, table.state);
    if (wanted == TcpState::Closed && listener().is_set()) {
      EXPECT_EQ(name_of(state()), name_of(TcpState::Listen));
    } else {
      EXPECT_EQ(name_of(state()), name_of(wanted));
    }
  }
};

TEST_P(
    StateSegmentTable,
    R_9293_3_10_7_4_SEQ__R_9293_3_10_7_4_NOACK__R_9293_3_5_2_RSTSYNC_AnswersAndMovesAsTheRfcSays) {
  const StateTable& table = tables()[GetParam()];
  for (std::size_t kind = 0; kind < kKinds.size(); ++kind) {
    for (std::size_t position = 0; position < kPositionNames.size(); ++position) {
      check_cell(table, kind, static_cast<Position>(position));
    }
  }
}

std::string test_name(const ::testing::TestParamInfo<std::size_t>& param) {
  std::string name;
  for (const char* c = tables()[param.param].name; *c != '\0'; ++c) {
    if (std::isalnum(static_cast<unsigned char>(*c)) != 0) name += *c;
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(States, StateSegmentTable, ::testing::Range<std::size_t>(0, 12),
                         test_name);

}  // namespace
}  // namespace runnel::test
