import OxbowMigration
import Testing

@Suite struct LabelTableTests {
    @Test func ownIDsHaveOwnParity() throws {
        var lower = LabelTable(isLowerPeer: true, start: 7)
        var higher = LabelTable(isLowerPeer: false, start: 7)
        #expect(try lower.assign(to: StreamKey(rawValue: 1)) == 14)
        #expect(try higher.assign(to: StreamKey(rawValue: 1)) == 15)
    }
}
