### 待办工单。

queue-lead = { $n ->
    [0] 目前没有需要处理的事项。
   *[other] { $n } 件需要处理。
}
queue-lead-hot = 其中 { $n } 件安全问题尚无人负责。
queue-lead-now = 其中 { $n } 件不能等。
queue-views = 视图
queue-view-all = 全部未结
queue-view-mine = 我负责
queue-view-nobody = 尚无人负责
queue-view-waiting = 等待中
queue-view-watched = 观察中
queue-view-notices = 提醒
queue-view-done = 已完成
queue-filter = 筛选
queue-severity = 级别
queue-model = 型号
queue-region = 地区
queue-order = 排序
queue-any = 不限
queue-sort-urgent = 最紧急在前
queue-sort-oldest = 最早在前
queue-caption = 待办事项，最紧急在前
queue-select = 选择
queue-select-one = 选择 { $id } 所在事项
queue-what = 问题与原因
queue-device = 设备
queue-latest = 最新情况
queue-status = 状态
queue-who = 负责人
queue-age = 历时
queue-now = 现在
queue-next = 接下来
queue-waiting = 等待他人
queue-watched = 已维修，观察中
queue-kind-also = 另有：{ $title }，{ $severity }
queue-kind-more = 还有 { $n } 件
queue-kind-reopened = 重新打开
queue-kind-late = 来自迟到的数据
queue-until = 至 { $until }
queue-latest-cleared = 已恢复
queue-latest-worsened = 加重
queue-latest-reopened = 重新打开
queue-latest-eased = 减轻
queue-latest-unseen = 尚无人查看
queue-latest-acted = 有处理
queue-with-selected = 对所选事项：
queue-acknowledge = 受理
queue-assign-to = 指派给…
queue-assign = 指派
queue-csv = 下载 CSV
queue-notices = { $n ->
    [0] 提醒（耗材与计划保养）不进入待办。
   *[other] { $n } 条提醒（耗材与计划保养）不进入待办。
}
queue-clear = 清除筛选
queue-none = 没有需要处理的事项
queue-none-why = 所有设备都在照常判断，一有情况会立即显示在这里。
queue-none-fits = 没有符合筛选条件的事项
queue-without-filters = 不筛选时有 { $n } 件。
queue-none-notices = 没有提醒
queue-none-notices-why = 耗材与计划保养将显示在这里。
queue-none-done = 尚无已完成的工单
queue-none-done-why = 已关闭和已取消的工单将显示在这里。
queue-none-here = 此处没有事项
queue-none-here-why = 其他视图中可能有。
queue-keys = 快捷键
queue-keys-move = 移动
queue-keys-open = 打开
queue-keys-select = 选择
queue-keys-find = 查找
