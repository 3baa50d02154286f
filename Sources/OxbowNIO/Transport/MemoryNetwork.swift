import NIOCore
import OxbowCore
import Synchronization

/// The addresses `/memory/N` of this process: who listens at which number.
public final class MemoryNetwork: Sendable {
    /// The one that hosts use unless they are given another.
    public static let shared = MemoryNetwork()

    struct Listener: Sendable {
        let group: any EventLoopGroup
        let accept: @Sendable (MemoryTransport, _ from: Multiaddr?) -> Void
    }

    private let listeners = Mutex<[UInt64: Listener]>([:])
    /// Numbers that a NAT hides, and dials that wait for the dial in the other direction.
    let nat = Mutex(MemoryNAT())
    /// The properties of the next pipe to a number.
    let link: @Sendable (UInt64) -> MemoryLink

    /// A network of its own, in which nobody listens yet. Its pipes have no delay.
    public init() {
        link = { _ in MemoryLink() }
    }

    package init(link: @escaping @Sendable (_ number: UInt64) -> MemoryLink) {
        self.link = link
    }

    /// Takes the number, or finds a free one for 0.
    ///
    /// - Returns: the number, or nil when somebody listens there.
    func listen(at number: UInt64, _ listener: Listener) -> UInt64? {
        listeners.withLock { listeners in
            var chosen = number
            while chosen == 0 || (number == 0 && listeners[chosen] != nil) { chosen = UniqueNumber.next() }
            guard listeners[chosen] == nil else { return nil }
            listeners[chosen] = listener
            return chosen
        }
    }

    package func stop(at number: UInt64) {
        listeners.withLock { $0[number] = nil }
    }

    /// Nobody listens any more. Dials that wait for one in the other direction are over.
    package func stopAll() {
        listeners.withLock { $0 = [:] }
        let waiting = nat.withLock { nat in
            defer { nat.waiting = [] }
            return nat.waiting
        }
        for punch in waiting { punch.loop.execute { punch.completion(nil) } }
    }

    /// Makes a pipe to the listener at `number`; nil when there is none, or a NAT hides it.
    func connect(to number: UInt64, from loop: any EventLoop, address: Multiaddr?) -> MemoryTransport? {
        guard !nat.withLock({ $0.hidden.contains(number) }) else { return nil }
        guard let listener = listeners.withLock({ $0[number] }) else { return nil }
        let remote = listener.group.next()
        let (near, far) = MemoryTransport.pair(loop, remote, link: link(number))
        remote.execute { listener.accept(far, address) }
        return near
    }
}
