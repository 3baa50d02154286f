import NIOCore
import OxbowCore
import Synchronization

/// The NATs of a ``MemoryNetwork``.
struct MemoryNAT {
    var hidden: Set<UInt64> = []
    /// Whether the NATs give each destination a port of its own, so that no dials meet.
    var isSymmetric = false
    var waiting: [MemoryPunch] = []
}

/// A dial that comes from the number that its host listens at.
struct MemoryPunch: Sendable {
    let id: UInt64
    let from: UInt64
    let to: UInt64
    let loop: any EventLoop
    let completion: @Sendable (MemoryTransport?) -> Void
}

// Simultaneous open in memory: what TCP does when the SYNs of both sides meet, behind NATs that let in what answers to
// something that went out.

extension MemoryNetwork {
    /// Puts the listener at `number` behind a NAT: it is reached only while its host dials the other side, too.
    package func hide(_ number: UInt64) {
        nat.withLock { _ = $0.hidden.insert(number) }
    }

    /// Whether no punch succeeds from now on.
    package func setSymmetric(_ isOn: Bool) {
        nat.withLock { $0.isSymmetric = isOn }
    }

    /// Dials from the number that the caller listens at. A dial in the other direction that waits makes one pipe with
    /// this one; without one, a listener that no NAT hides takes it, and one that is hidden lets it wait.
    ///
    /// - Parameter completion: called once on `loop`, with nil when nobody is there or the dial was cancelled.
    func punch(
        from own: UInt64, to number: UInt64, on loop: any EventLoop,
        completion: @escaping @Sendable (MemoryTransport?) -> Void
    ) -> UInt64 {
        let punch = MemoryPunch(id: UniqueNumber.next(), from: own, to: number, loop: loop, completion: completion)
        let (other, mayListen) = nat.withLock { nat in
            let index =
                nat.isSymmetric ? nil : nat.waiting.firstIndex { $0.from == number && $0.to == own }
            let mayListen = !nat.hidden.contains(number)
            if index == nil, !mayListen { nat.waiting.append(punch) }
            return (index.map { nat.waiting.remove(at: $0) }, mayListen)
        }
        if let other {
            let (near, far) = MemoryTransport.pair(loop, other.loop, link: link(number))
            other.loop.execute { other.completion(far) }
            loop.execute { completion(near) }
        } else if mayListen {
            let end = connect(to: number, from: loop, address: nil)
            loop.execute { completion(end) }
        }
        return punch.id
    }

    /// Gives up a dial that waits.
    func cancel(_ id: UInt64) {
        let punch = nat.withLock { nat in
            nat.waiting.firstIndex { $0.id == id }.map { nat.waiting.remove(at: $0) }
        }
        guard let punch else { return }
        punch.loop.execute { punch.completion(nil) }
    }
}
