import OxbowSwarm
import Testing

@Suite("What a choice of connections looks at")
struct ConnectionFactsTests {
    @Test("QUIC comes before TCP, and both before the rest")
    func transports() {
        #expect([ConnectionFacts.Transport.other, .tcp, .quic].sorted() == [.quic, .tcp, .other])
    }
}
