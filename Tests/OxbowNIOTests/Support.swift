import NIOCore
import OxbowCore
import OxbowMigration
import OxbowNIO
import OxbowTesting
import Testing

let echo: ProtocolID = "/echo/1.0.0"
let bulk: ProtocolID = "/bulk/1.0.0"

extension SimulatedWorld {
    /// Lets virtual time pass until `condition` holds; it is a failure when it never does.
    func expect(
        within limit: Duration = .seconds(120), sourceLocation: SourceLocation = #_sourceLocation,
        _ condition: () -> Bool
    ) {
        let holds = run(upTo: limit, until: condition)
        #expect(holds, "not within \(limit)", sourceLocation: sourceLocation)
    }

    /// Closes everything; nothing may be left (P7).
    func expectNothingLeft(sourceLocation: SourceLocation = #_sourceLocation) {
        for (index, census) in end().enumerated() {
            #expect(census.isZero, "host \(index) keeps \(census)", sourceLocation: sourceLocation)
        }
    }

    /// No stream, label, migration or timer is left, only the connections (P7).
    func expectOnlyConnections(sourceLocation: SourceLocation = #_sourceLocation) {
        for (index, host) in hosts.enumerated() {
            var census = host.swarm.census
            (census.connections, census.peers) = (0, 0)
            #expect(census.isZero, "host \(index) keeps \(census)", sourceLocation: sourceLocation)
        }
        for link in links { #expect(link.underlyingStreams == 0, sourceLocation: sourceLocation) }
    }
}
