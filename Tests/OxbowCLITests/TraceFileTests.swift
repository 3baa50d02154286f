import Foundation
import Oxbow
import OxbowCommandLine
import Testing

@testable import OxbowCLI

/// The demo's trace: both processes' views of the one stream.
@Suite struct TraceFileTests {
    @Test("Both sides' events are there, none dropped, and fit each other")
    func demoIsTraced() async throws {
        var plan = DemoTests.plan(size: 1 << 20, migrations: 8)
        plan.isTraced = true
        let result = try await DemoTests.run(plan)
        let traces = [try #require(result.a.trace), try #require(result.b.trace)]
        for trace in traces {
            #expect(trace.droppedEvents == 0)
            #expect(trace.events.count { $0.kind == .completed } == 8)
            #expect(trace.events.count { $0.kind == .migrateSent } == 4)
            #expect(trace.paths.map(\.leg) == Array(0...8))
            #expect(trace.events.last?.kind == .finished)
        }
        #expect(traces[0].events.first?.id == traces[1].events.first?.id)
        // What was written on each leg by one side was read on it by the other.
        for leg in 0...8 {
            let (a, b) = (
                traces.map { $0.events.last { $0.leg == leg } }[0], traces.map { $0.events.last { $0.leg == leg } }[1]
            )
            #expect(a?.written == b?.read && a?.read == b?.written, "leg \(leg)")
        }
        let lines = try TraceFile.text(traces, forPath: "x.JSONL").split(separator: "\n")
        #expect(try lines.map { try JSONDecoder().decode(StreamTrace.self, from: Data($0.utf8)) } == traces)
        let drawing = try TraceFile.text(traces, forPath: "x.txt")
        #expect(drawing.hasPrefix("A: stream ") && drawing.contains("\nB: stream "))
    }

    @Test("Without a wish for it nothing is kept")
    func demoIsNotTraced() async throws {
        let result = try await DemoTests.run(DemoTests.plan(size: 1 << 16, migrations: 2))
        #expect(result.a.trace == nil && result.b.trace == nil)
    }

    @Test("A file that can't be written is found before the work")
    func unwritable() {
        #expect(throws: CommandFailure.self) { try TraceFile(path: "/nowhere/at/all/trace.txt") }
    }
}
