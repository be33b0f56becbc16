// A doubly linked list whose nodes live in the listed objects: no allocation, O(1) removal.
#pragma once

#include <cassert>

namespace runnel::base {

// Derive from ListNode to be listed; an object that is destroyed leaves its list.
// INVARIANT: both pointers are set, or neither is.
struct ListNode {
  ListNode* previous = nullptr;
  ListNode* next = nullptr;

  ListNode() = default;
  ~ListNode() { unlink(); }
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;

  [[nodiscard]] bool is_listed() const noexcept { return next != nullptr; }

  void unlink() noexcept {
    if (!is_listed()) return;
    previous->next = next;
    next->previous = previous;
    previous = next = nullptr;
  }
};

// A circular list around a sentinel; it owns nothing.
class IntrusiveList {
 public:
  IntrusiveList() noexcept { head_.previous = head_.next = &head_; }
  ~IntrusiveList() { clear(); }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;

  [[nodiscard]] bool empty() const noexcept { return head_.next == &head_; }

  void push_back(ListNode& node) noexcept {
    assert(!node.is_listed());
    node.previous = head_.previous;
    node.next = &head_;
    head_.previous->next = &node;
    head_.previous = &node;
  }

  void push_front(ListNode& node) noexcept {
    assert(!node.is_listed());
    node.previous = &head_;
    node.next = head_.next;
    head_.next->previous = &node;
    head_.next = &node;
  }

  // The first node, still listed; nullptr when empty.
  [[nodiscard]] ListNode* front() const noexcept { return empty() ? nullptr : head_.next; }
  // The node behind `node`; nullptr at the end.
  [[nodiscard]] ListNode* after(const ListNode& node) const noexcept {
    return node.next == &head_ ? nullptr : node.next;
  }

  ListNode* pop_front() noexcept {
    ListNode* node = front();
    if (node != nullptr) node->unlink();
    return node;
  }

  // Moves every node of `other` behind those here.
  void splice(IntrusiveList& other) noexcept {
    if (other.empty()) return;
    ListNode* first = other.head_.next;
    ListNode* last = other.head_.previous;
    other.head_.previous = other.head_.next = &other.head_;
    first->previous = head_.previous;
    head_.previous->next = first;
    last->next = &head_;
    head_.previous = last;
  }

  void clear() noexcept {
    while (pop_front() != nullptr) {
    }
  }

 private:
  ListNode head_;
};

}  // namespace runnel::base
