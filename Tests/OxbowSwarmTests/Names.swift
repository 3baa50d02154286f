import OxbowCore
import OxbowSwarm

/// A peer id that stands for the number, in the order of numbers.
func testPeer(_ number: Int) -> PeerID {
    let digits = (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * $0)) }
    guard let id = try? PeerID(multihash: [0, 8] + digits) else { preconditionFailure("eight bytes make an id") }
    return id
}

func testAddress(_ text: String) -> Multiaddr {
    guard let address = try? Multiaddr(text) else { preconditionFailure("no address: \(text)") }
    return address
}

func seconds(_ number: Int64) -> Instant { .zero + .seconds(number) }
